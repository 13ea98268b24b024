import { EngineError } from '@engine/linux'
import { isUrl } from '../context/download.ts'
import { parseGitUrl } from '../context/git.ts'
import { parseMode } from '../context/mode.ts'
import type { CommandLine, CopyInstruction, Instruction } from '../dockerfile/instruction-types.ts'
import { parseRunMount } from '../dockerfile/run-mount.ts'
import { expandWord, expandWords, type LexOptions } from '../dockerfile/expand.ts'
import { didYouMean } from '../dockerfile/suggest.ts'
import type { IgnoreMatcher } from '../dockerignore.ts'
import { cleanPath, joinPath } from '../filepath.ts'
import type { StageState } from '../stage-state.ts'
import { applyInstruction, expandInstruction } from '../steps/change.ts'
import { variablesOf } from '../steps/step.ts'
import type { Say } from './finding.ts'
import { expandNoting } from './names.ts'

/** Variables of BuildKit's own, which it does not ask to be declared. */
const always: ReadonlySet<string> = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'])

/** What is known of a stage at one of its instructions. */
export class StageScope {
  readonly state: StageState
  /** The base's configuration is known; without it nobody can tell which variables there are. */
  readonly known: boolean
  /** The Dockerfile has said where to work. */
  workdirSet: boolean
  /** Lines of what counts once. */
  readonly once = new Map<Instruction['kind'], number>()

  constructor(state: StageState, known: boolean, workdirSet: boolean) {
    this.state = state
    this.known = known
    this.workdirSet = workdirSet
  }
}

/** Rules about the instructions of one stage; what they do to its configuration is done. */
export class InstructionChecker {
  readonly #scope: StageScope
  readonly #escape: string
  readonly #ignore: IgnoreMatcher | undefined
  readonly #say: Say

  constructor(scope: StageScope, escape: string, ignore: IgnoreMatcher | undefined, say: Say) {
    this.#scope = scope
    this.#escape = escape
    this.#ignore = ignore
    this.#say = say
  }

  /** @throws EngineError with which the instruction would fail in any build */
  check(instruction: Instruction): void {
    const { state } = this.#scope
    switch (instruction.kind) {
      case 'arg':
        return this.#arg(instruction)
      case 'copy':
      case 'add':
        return this.#copy(instruction)
      case 'run':
        for (const mount of instruction.mounts) parseRunMount(mount, (word) => this.#expand(word, instruction.line))
        return
      case 'workdir':
        return this.#workdir(instruction)
      case 'cmd':
      case 'entrypoint':
        this.#once(instruction)
        this.#shellForm(instruction, instruction.command)
        break
      case 'healthcheck':
        this.#once(instruction)
        break
    }
    const expanded = expandInstruction(instruction, (word) => this.#expand(word, instruction.line), (word) => expandWords(word, variablesOf(this.#scope), { escape: this.#escape }))
    if (expanded.kind === 'expose') this.#ports(expanded.ports, instruction.line)
    applyInstruction(state, expanded)
  }

  #arg({ args, line }: Extract<Instruction, { kind: 'arg' }>): void {
    const { args: known } = this.#scope.state
    for (const { key, value } of args) known.declare(key, value === undefined ? undefined : known.isGiven(key) ? '' : this.#expand(value, line))
  }

  #copy(instruction: CopyInstruction): void {
    const { line } = instruction
    const expand = (word: string): string => this.#expand(word, line)
    const sources = instruction.sources.map(expand)
    for (const word of [instruction.destination, instruction.chown]) expand(word)
    refuseCopy({ ...instruction, sources, chmod: expand(instruction.chmod), checksum: expand(instruction.checksum) })
    for (const file of instruction.files) if (file.expand) this.#expand(file.data, line, { skipQuotes: true })
    if (this.#ignore === undefined || instruction.from !== '') return
    for (const source of sources) {
      if (/^[a-z]+:\/\//.test(source) || !this.#ignore.ignores(cleanPath(source))) continue
      this.#say('CopyIgnoredFile', line, `Attempting to ${instruction.kind === 'copy' ? 'Copy' : 'Add'} file "${cleanPath(source)}" that is excluded by .dockerignore`)
    }
  }

  #workdir({ path, line }: Extract<Instruction, { kind: 'workdir' }>): void {
    const { state } = this.#scope
    const expanded = this.#expand(path, line)
    // A variable of a base that is not known may be a whole path.
    const unsure = !this.#scope.known && path.startsWith('$')
    if (!this.#scope.workdirSet && !unsure && !expanded.startsWith('/')) this.#say('WorkdirRelativePath', line, `Relative workdir "${expanded}" can have unexpected results if the base image changes`)
    this.#scope.workdirSet = true
    state.config.WorkingDir = joinPath('/', expanded.startsWith('/') ? '' : state.config.WorkingDir ?? '', expanded)
  }

  /** Only the last of these counts. */
  #once(instruction: Instruction): void {
    const before = this.#scope.once.get(instruction.kind)
    if (before !== undefined) this.#say('MultipleInstructionsDisallowed', before, `Multiple ${keyword(instruction)} instructions should not be used in the same stage because only the last one will be used`)
    this.#scope.once.set(instruction.kind, instruction.line)
  }

  /** Who names a shell wants one. */
  #shellForm(instruction: Instruction, { shell }: CommandLine): void {
    if (!shell || (this.#scope.state.config.Shell ?? []).length > 0) return
    this.#say('JSONArgsRecommended', instruction.line, `JSON arguments recommended for ${keyword(instruction)} to prevent unintended behavior related to OS signals`)
  }

  #ports(ports: readonly string[], line: number): void {
    for (const port of ports) {
      const [place = '', protocol = ''] = port.split('/')
      if (place.includes(':') && !/^:[^:]*$/.test(place)) this.#say('ExposeInvalidFormat', line, `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`)
      if (protocol !== protocol.toLowerCase()) this.#say('ExposeProtoCasing', line, `Defined protocol '${port}' in EXPOSE instruction should be lowercase`)
    }
  }

  /** Expands a word as a build does, and tells of variables that nothing has set. */
  #expand(word: string, line: number, options: LexOptions = { escape: this.#escape }): string {
    const variables = variablesOf(this.#scope)
    if (!this.#scope.known) return expandWord(word, variables, options)
    const { text, missing } = expandNoting(word, variables, options)
    for (const name of missing) {
      if (always.has(name) || this.#scope.state.args.isDeclared(name)) continue
      this.#say('UndefinedVar', line, `Usage of undefined variable '$${name}'${didYouMean(name, [...variables.keys()], true).replace('mean ', 'mean $')}`)
    }
    return text
  }
}

/** What COPY and ADD refuse whatever the files are. @throws EngineError invalid-argument */
function refuseCopy({ kind, sources, chmod, checksum }: CopyInstruction): void {
  const refuse = (message: string): never => {
    throw new EngineError('invalid-argument', message)
  }
  parseMode(chmod)
  if (kind === 'copy' && sources.some(isUrl)) refuse("source can't be a URL for COPY")
  if (checksum === '') return
  if (sources.length !== 1) refuse("checksum can't be specified for multiple sources")
  if (sources.some((source) => !isUrl(source) && parseGitUrl(source) === undefined)) refuse('checksum requires HTTP(S) or Git sources')
}

/** As it is written. */
function keyword({ code }: Instruction): string {
  return code.split(/\s/, 1)[0] ?? ''
}
