import * as z from 'zod'
import { goTypes } from './go-json.ts'
import { ContainerConfig, EndpointSettings, HostConfig, resources, RestartPolicy } from './container-config.ts'
import { filters } from './filters.ts'
import { bool, int, optionalWord, platform, time, word } from './parameters.ts'

/** GET /containers/json */
export const ContainerListQuery = z.object({ all: bool(), limit: int(), size: bool(), filters })

/** POST /containers/create */
export const ContainerCreateQuery = z.object({ name: optionalWord, platform })

/** `Config` with `HostConfig` and `NetworkingConfig` beside its fields. */
export const ContainerCreateBody = ContainerConfig.extend({
  HostConfig: HostConfig.nullish(),
  NetworkingConfig: z.object({ EndpointsConfig: z.record(z.string(), EndpointSettings).nullish() }).nullish(),
}).register(goTypes, { type: 'container.CreateRequest', prefix: '' })

/** POST /containers/{id}/update */
export const ContainerUpdateBody = z.object({ ...resources, RestartPolicy: RestartPolicy.nullish() }).register(goTypes, { type: 'container.UpdateConfig' })

/** GET /containers/{id}/stats */
export const ContainerStatsQuery = z.object({ stream: bool(true), 'one-shot': bool() })

/** GET /containers/{id}/json */
export const ContainerInspectQuery = z.object({ size: bool() })

/** GET /containers/{id}/top */
export const ContainerTopQuery = z.object({ ps_args: word })

/** GET /containers/{id}/logs. `tail` is a number of lines; anything else is all of them, as in moby. */
export const ContainerLogsQuery = z.object({
  follow: bool(),
  stdout: bool(),
  stderr: bool(),
  since: time(),
  until: time(),
  timestamps: bool(),
  details: bool(),
  tail: z.string().optional().transform((value) => (value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined)),
})

/** POST /containers/{id}/start */
export const ContainerStartQuery = z.object({ detachKeys: optionalWord, checkpoint: optionalWord })

/** POST /containers/{id}/stop and restart: `t` in seconds, -1 waits for ever. */
export const ContainerStopQuery = z.object({ signal: optionalWord, t: int() })

/** POST /containers/{id}/kill */
export const ContainerKillQuery = z.object({ signal: optionalWord })

/** POST /containers/{id}/rename */
export const ContainerRenameQuery = z.object({ name: word })

/** POST /containers/{id}/wait */
export const ContainerWaitQuery = z.object({ condition: word })

/** POST /containers/{id}/resize and /exec/{id}/resize: cells, each an unsigned 32-bit number. */
export const ResizeQuery = z.object({ h: cells('height'), w: cells('width') })

function cells(what: string): z.ZodType<number, string | undefined> {
  return z.string().default('').transform((value, context) => {
    const why = /^\d+$/.test(value) ? (Number(value) > 0xffffffff ? 'value out of range' : undefined) : /^-\d+$/.test(value) ? 'value out of range' : 'invalid syntax'
    if (why === undefined) return Number(value)
    context.addIssue({ code: 'custom', message: `invalid resize ${what} ${JSON.stringify(value)}: ${why}` })
    return z.NEVER
  }).meta({ type: 'integer' })
}

/** POST /containers/{id}/attach */
export const ContainerAttachQuery = z.object({
  detachKeys: optionalWord,
  logs: bool(),
  stream: bool(),
  stdin: bool(),
  stdout: bool(),
  stderr: bool(),
})

/** DELETE /containers/{id} */
export const ContainerDeleteQuery = z.object({ v: bool(), force: bool(), link: bool() })

/** POST /…/prune */
export const PruneQuery = z.object({ filters })

export type ContainerUpdateBody = z.infer<typeof ContainerUpdateBody>
export type ContainerCreateBody = z.infer<typeof ContainerCreateBody>
