import { EngineError } from '@engine/linux'
import type { RunConfig } from '@engine/image'
import { quoteList, showList } from '../dockerfile/go-text.ts'
import { showHealthcheck } from '../dockerfile/healthcheck.ts'
import type { CommandLine, Instruction, Pair } from '../dockerfile/instruction-types.ts'
import { parsePorts } from '../ports.ts'
import { isSignal } from '../signal-names.ts'
import type { StageState } from '../stage-state.ts'

type Kind = Instruction['kind']
type Of<K extends Kind> = Extract<Instruction, { kind: K }>

/** Instructions that change an image's configuration and no file: each changes the stage's and returns what history tells of it. */
const changes: { readonly [K in Kind]?: (state: StageState, instruction: Of<K>) => string } = {
  arg(state, { args }) {
    for (const { key, value } of args) state.args.declare(key, value)
    return `ARG ${args.map(({ key, value }) => (value === undefined ? key : `${key}=${value}`)).join(' ')}`
  },
  cmd(state, { command }) {
    const cmd = resolve(state.shell, command)
    state.config.Cmd = cmd
    if (command.args.length > 0) state.commandSet = true
    return `CMD ${quoteList(cmd)}`
  },
  entrypoint(state, { command }) {
    const entrypoint = command.args.length === 0 ? [] : resolve(state.shell, command)
    if (entrypoint.length === 0) delete state.config.Entrypoint
    else state.config.Entrypoint = entrypoint
    if (!state.commandSet) delete state.config.Cmd
    return `ENTRYPOINT ${quoteList(entrypoint)}`
  },
  env(state, { pairs }) {
    const environment = [...state.environment]
    for (const { key, value } of pairs) {
      const at = environment.findIndex((entry) => entry.split('=', 1)[0] === key)
      environment.splice(at < 0 ? environment.length : at, 1, `${key}=${value}`)
      state.args.cover(key)
    }
    state.config.Env = environment
    return `ENV ${showPairs(pairs)}`
  },
  expose(state, { ports }) {
    const exposed = { ...state.config.ExposedPorts }
    for (const port of parsePorts(ports)) exposed[port] = {}
    state.config.ExposedPorts = exposed
    return `EXPOSE ${ports.join(' ')}`
  },
  healthcheck(state, { health }) {
    state.config.Healthcheck = structuredClone(health) as NonNullable<RunConfig['Healthcheck']>
    return `HEALTHCHECK ${showHealthcheck(health)}`
  },
  label(state, { pairs }) {
    state.config.Labels = { ...state.config.Labels, ...Object.fromEntries(pairs.map(({ key, value }) => [key, value])) }
    return `LABEL ${showPairs(pairs)}`
  },
  maintainer(state, { name }) {
    state.author = name
    return `MAINTAINER ${name}`
  },
  onbuild(state, { expression }) {
    state.config.OnBuild = [...(state.config.OnBuild ?? []), expression]
    return `ONBUILD ${expression}`
  },
  shell(state, { shell }) {
    state.config.Shell = [...shell]
    return `SHELL ${showList(shell)}`
  },
  stopsignal(state, { signal }) {
    if (!isSignal(signal)) throw new EngineError('invalid-argument', `invalid signal: ${signal}`)
    state.config.StopSignal = signal
    return `STOPSIGNAL ${signal}`
  },
  user(state, { user }) {
    state.config.User = user
    return `USER ${user}`
  },
  volume(state, { volumes }) {
    const all = { ...state.config.Volumes }
    for (const volume of volumes) {
      if (volume === '') throw new EngineError('invalid-argument', 'VOLUME specified can not be an empty string')
      all[volume] = {}
    }
    state.config.Volumes = all
    return `VOLUME ${showList(volumes)}`
  },
}

/**
 * Applies an instruction, its variables expanded, to a stage's configuration.
 * @returns what history tells of it
 * @throws EngineError invalid-argument with Docker's texts
 */
export function applyInstruction(state: StageState, instruction: Instruction): string {
  const change = changes[instruction.kind] as ((state: StageState, instruction: Instruction) => string) | undefined
  if (change === undefined) throw new EngineError('internal', `unsupported command type: ${instruction.kind}`)
  return change(state, instruction)
}

/**
 * Expands the variables of the instructions that change the configuration, where they count.
 * @param one  expands a word that stays one
 * @param many expands a word that may become many
 */
export function expandInstruction(instruction: Instruction, one: (word: string) => string, many: (word: string) => string[]): Instruction {
  const pairs = (list: readonly Pair[]): Pair[] => list.map(({ key, value }) => ({ key: one(key), value: one(value) }))
  switch (instruction.kind) {
    case 'env':
      return { ...instruction, pairs: pairs(instruction.pairs) }
    case 'label':
      return instruction.expand ? { ...instruction, pairs: pairs(instruction.pairs) } : instruction
    case 'expose':
      return { ...instruction, ports: instruction.ports.flatMap(many) }
    case 'stopsignal':
      return { ...instruction, signal: one(instruction.signal) }
    case 'user':
      return { ...instruction, user: one(instruction.user) }
    case 'volume':
      return { ...instruction, volumes: instruction.volumes.map(one) }
    default:
      return instruction
  }
}

function resolve(shell: readonly string[], command: CommandLine): string[] {
  return command.shell ? [...shell, ...command.args] : [...command.args]
}

function showPairs(pairs: readonly Pair[]): string {
  return pairs.map(({ key, value }) => `${key}=${value}`).join(' ')
}
