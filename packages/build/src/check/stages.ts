import { EngineError } from '@engine/linux'
import { parseReference } from '@engine/image'
import { expandWord, toVariables, type Variables } from '../dockerfile/expand.ts'
import type { Instruction, Stage, Stages } from '../dockerfile/instruction-types.ts'
import { didYouMean } from '../dockerfile/suggest.ts'
import type { Finding, RuleName } from './finding.ts'
import type { IgnoreMatcher } from '../dockerignore.ts'

type Say = (rule: RuleName, line: number, text: string) => void

/** What rules about stages need to know besides the Dockerfile. */
export interface StageFacts {
  /** Arguments that every build has, and those that were given with it. */
  readonly args: Variables
  /** Environment of an image; undefined when it is not known. */
  readonly environmentOf: (image: string) => readonly string[] | undefined
  readonly ignore: IgnoreMatcher | undefined
}

/** Rules that look at stages: names, arguments, variables. */
export function checkStages(file: Stages, facts: StageFacts): Finding[] {
  const findings: Finding[] = []
  const say: Say = (rule, line, text) => void findings.push({ rule, line, text })
  const globals = globalArgs(file, facts.args)
  const environments = new Map<string, Set<string> | undefined>()
  const names = new Set<string>()
  for (const [index, stage] of file.stages.entries()) {
    checkName(stage, names, say)
    checkBase(file, stage, globals, facts, say)
    const base = safely(() => expandWord(stage.base, new Map([...facts.args, ...globals]), { escape: file.escape })) ?? ''
    const inherited = environments.has(base.toLowerCase()) ? environments.get(base.toLowerCase()) : knownNames(base, facts)
    const environment = checkInstructions(file, stage, inherited === undefined ? undefined : new Set(inherited), facts, say)
    for (const name of [stage.name, String(index)]) if (name !== '') environments.set(name, environment)
    checkRepeated(stage, say)
  }
  return findings
}

/** The images that stages begin from, by name; not those that are stages, nor `scratch`. */
export function baseImages(file: Stages, args: Variables): string[] {
  const globals = globalArgs(file, args)
  const stages = new Set<string>()
  const images = new Set<string>()
  for (const { base, name } of file.stages) {
    const expanded = safely(() => expandWord(base, new Map([...args, ...globals]), { escape: file.escape })) ?? ''
    if (expanded !== '' && expanded !== 'scratch' && !stages.has(expanded.toLowerCase())) images.add(expanded)
    stages.add(name)
  }
  return [...images]
}

/** Arguments before the first FROM, as they count in FROM lines. */
function globalArgs(file: Stages, args: Variables): Map<string, string> {
  const globals = new Map<string, string>()
  for (const { key, value } of file.globalArgs.flatMap((instruction) => instruction.args)) {
    globals.set(key, args.get(key) ?? (value === undefined ? '' : safely(() => expandWord(value, globals, { escape: file.escape })) ?? ''))
  }
  return globals
}

function knownNames(base: string, facts: StageFacts): Set<string> | undefined {
  const environment = base === 'scratch' ? [] : facts.environmentOf(base)
  return environment === undefined ? undefined : new Set(toVariables(environment).keys())
}

function checkName({ name, line }: Stage, names: Set<string>, say: Say): void {
  if (name !== '' && names.has(name)) say('DuplicateStageName', line, `Duplicate stage name "${name}", stage names should be unique`)
  names.add(name)
}

function checkBase(file: Stages, stage: Stage, globals: Variables, facts: StageFacts, say: Say): void {
  const known = new Map([...facts.args, ...globals])
  for (const word of [stage.base, stage.platform]) {
    for (const name of unknownIn(word, known, file.escape)) {
      say('UndefinedArgInFrom', stage.line, `FROM argument '${name}' is not declared${didYouMean(name, [...known.keys()], true)}`)
    }
  }
  if (!stage.base.includes('$')) return
  const defaults = globalArgs(file, new Map())
  const base = safely(() => expandWord(stage.base, new Map([...facts.args, ...defaults]), { escape: file.escape })) ?? ''
  const valid = base !== '' && safely(() => parseReference(base)) !== undefined
  if (!valid) say('InvalidDefaultArgInFrom', stage.line, `Default value for ARG ${stage.base} results in empty or invalid base image name`)
}

/** Follows a stage's variables. @param names of the base's environment; undefined when that is not known @returns those at the end */
function checkInstructions(file: Stages, stage: Stage, names: Set<string> | undefined, facts: StageFacts, say: Say): Set<string> | undefined {
  const args = new Set(facts.args.keys())
  args.add('PATH')
  let workdir = false
  for (const instruction of stage.instructions) {
    if (names !== undefined) {
      const known = new Map([...names, ...args].map((name) => [name, 'x']))
      for (const word of wordsOf(instruction)) {
        for (const name of unknownIn(word, known, file.escape)) say('UndefinedVar', instruction.line, `Usage of undefined variable '$${name}'${didYouMean(name, [...known.keys()], true)}`)
      }
    }
    if (instruction.kind === 'arg') for (const { key } of instruction.args) args.add(key)
    if (instruction.kind === 'env') for (const { key } of instruction.pairs) names?.add(key)
    if (instruction.kind === 'workdir') {
      if (!workdir && !instruction.path.startsWith('/') && !instruction.path.startsWith('$')) {
        say('WorkdirRelativePath', instruction.line, `Relative workdir "${instruction.path}" can have unexpected results if the base image changes`)
      }
      workdir = true
    }
    if (instruction.kind === 'copy' || instruction.kind === 'add') checkIgnored(instruction, facts.ignore, say)
  }
  return names
}

function checkIgnored(instruction: Extract<Instruction, { kind: 'copy' | 'add' }>, ignore: IgnoreMatcher | undefined, say: Say): void {
  if (ignore === undefined || instruction.from !== '') return
  for (const source of instruction.sources) {
    const path = source.replace(/^\.?\//, '')
    if (path === '' || path === '.' || /[$*?[]|^https?:/.test(path)) continue
    if (ignore.ignores(path)) say('CopyIgnoredFile', instruction.line, `Attempting to ${instruction.kind.toUpperCase()} file "${source}" that is excluded by .dockerignore`)
  }
}

/** Only the last of these counts. */
function checkRepeated(stage: Stage, say: Say): void {
  for (const kind of ['cmd', 'entrypoint', 'healthcheck'] as const) {
    const found = stage.instructions.filter((instruction) => instruction.kind === kind)
    for (const { line } of found.slice(0, -1)) {
      say('MultipleInstructionsDisallowed', line, `Multiple ${kind.toUpperCase()} instructions should not be used in the same stage because only the last one will be used`)
    }
  }
}

/** The words of an instruction in which variables are expanded. */
function wordsOf(instruction: Instruction): readonly string[] {
  switch (instruction.kind) {
    case 'copy':
    case 'add':
      return [...instruction.sources, instruction.destination, instruction.chown, instruction.chmod, ...instruction.exclude]
    case 'env':
    case 'label':
      return instruction.pairs.map(({ value }) => value)
    case 'arg':
      return instruction.args.flatMap(({ value }) => value ?? [])
    case 'expose':
      return instruction.ports
    case 'volume':
      return instruction.volumes
    case 'workdir':
      return [instruction.path]
    case 'user':
      return [instruction.user]
    case 'stopsignal':
      return [instruction.signal]
    case 'run':
      return instruction.mounts
    default:
      return []
  }
}

/** Names of variables in a word that are not known and for which the word has no other value. */
function unknownIn(word: string, known: Variables, escape: string): string[] {
  if (!word.includes('$')) return []
  const missing = new Set<string>()
  const recording = new (class extends Map<string, string> {
    override get(name: string): string {
      if (!known.has(name)) missing.add(name)
      return known.get(name) ?? 'x'
    }
  })()
  safely(() => expandWord(word, recording, { escape }))
  return [...missing].filter((name) => !new RegExp(`\\$\\{${name.replace(/[$^*+?.|\\]/g, '\\$&')}:?[-+?]`).test(word))
}

function safely<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof EngineError) return undefined
    throw error
  }
}
