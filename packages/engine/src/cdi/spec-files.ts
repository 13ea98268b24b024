import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const text = z.string().min(1)
/** In YAML a name of digits is a number unless it is quoted; sigs.k8s.io/yaml, which Docker reads with, makes it text where text is wanted. */
const name = z.union([text, z.number().transform(String)])
const absolute = z.string().startsWith('/')

const DeviceNode = z.object({
  path: absolute,
  hostPath: absolute.optional(),
  type: z.enum(['b', 'c', 'u', 'p', '']).optional(),
  major: z.number().int().nonnegative().optional(),
  minor: z.number().int().nonnegative().optional(),
  fileMode: z.number().int().nonnegative().optional(),
  permissions: z.string().regex(/^[rwm]*$/).optional(),
  uid: z.number().int().nonnegative().optional(),
  gid: z.number().int().nonnegative().optional(),
})

/** What a device changes of a container. */
const ContainerEdits = z.object({
  env: z.array(z.string().regex(/^[^=]+=/)).default([]),
  deviceNodes: z.array(DeviceNode).default([]),
  mounts: z.array(z.object({ hostPath: absolute, containerPath: absolute, options: z.array(text).optional(), type: z.string().optional() })).default([]),
  hooks: z.array(z.object({ hookName: text })).default([]),
  additionalGids: z.array(z.number().int().nonnegative()).default([]),
})

/** A file of the Container Device Interface (cncf-tags/container-device-interface, SPEC.md). */
const SpecFile = z.object({
  cdiVersion: name,
  kind: z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]*\/[A-Za-z][A-Za-z0-9_-]*$/),
  containerEdits: ContainerEdits.optional(),
  devices: z.array(z.object({ name, containerEdits: ContainerEdits })).min(1),
})

export type CdiEdits = z.infer<typeof ContainerEdits>
export type CdiDeviceNode = z.infer<typeof DeviceNode>

/** What the host offers. */
export interface CdiDevices {
  /** `vendor.com/class=name` → its kind's edits, if there are any, then its own. */
  readonly devices: ReadonlyMap<string, readonly CdiEdits[]>
  /** Files that could not be read, and why. */
  readonly failures: readonly string[]
}

/** Reads the host's spec files, JSON and YAML; those of a later directory go before those of an earlier. */
export async function readCdiDevices(directories: readonly string[]): Promise<CdiDevices> {
  const devices = new Map<string, readonly CdiEdits[]>()
  const failures: string[] = []
  for (const file of directories.flatMap(filesIn)) {
    try {
      const { kind, containerEdits, devices: own } = SpecFile.parse(await parse(file))
      for (const { name, containerEdits: edits } of own) devices.set(`${kind}=${name}`, [...(containerEdits === undefined ? [] : [containerEdits]), edits])
    } catch (error) {
      failures.push(`${file}: ${error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : error instanceof Error ? error.message : String(error)}`)
    }
  }
  return { devices, failures }
}

async function parse(file: string): Promise<unknown> {
  const content = await readFile(file, 'utf8')
  if (file.endsWith('.json')) return JSON.parse(content)
  // Only now: few hosts have such a file, and the parser is large.
  const yaml = await import('yaml')
  // YAML 1.1, as Docker's: `fileMode: 0660` is octal. An alias may not grow without bounds (the library's default).
  return yaml.parse(content, { version: '1.1', logLevel: 'error', prettyErrors: false })
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => /\.(json|ya?ml)$/.test(name)).sort().map((name) => join(directory, name))
  } catch {
    return []
  }
}
