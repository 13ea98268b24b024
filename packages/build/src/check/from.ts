import { EngineError } from '@engine/linux'
import { hostPlatform, parsePlatform, parseReference, type ImageConfig } from '@engine/image'
import type { BuildArgs } from '../build-args.ts'
import type { Stage } from '../dockerfile/instruction-types.ts'
import { didYouMean } from '../dockerfile/suggest.ts'
import type { Say } from './finding.ts'
import { expandNoting } from './names.ts'
import type { BaseImage } from './stages.ts'

export interface FromFacts {
  readonly args: BuildArgs
  /** The arguments as they are when nothing is given with the build. */
  readonly defaults: BuildArgs
  readonly escape: string
  /** That is built for; empty is the host's. */
  readonly platform: string
}

/** Rules about FROM lines. */
export class FromChecker {
  readonly #facts: FromFacts
  readonly #say: Say

  constructor(facts: FromFacts, say: Say) {
    this.#facts = facts
    this.#say = say
  }

  /** Whether a base has a valid name also where no arguments are given. @param names of stages */
  checkDefault({ base, line }: Stage, names: ReadonlySet<string>): void {
    const image = orUndefined(() => expandNoting(base, this.#facts.defaults.globals(), { escape: this.#facts.escape }).text)
    if (image === undefined || (image !== '' && names.has(image.toLowerCase()))) return
    const valid = image !== '' && orUndefined(() => parseReference(image)) !== undefined
    if (!valid) this.#say('InvalidDefaultArgInFrom', line, `Default value for ARG ${base} results in empty or invalid base image name`)
  }

  /** @throws EngineError invalid-argument for what names no image, or no platform */
  check(stage: Stage): BaseImage {
    const image = this.#expand(stage, stage.base)
    if (image === '') throw invalid(`base name (${stage.base}) should not be blank`)
    return { image, platform: stage.platform === '' ? '' : this.#checkPlatformFlag(stage) }
  }

  /** The base of a stage, nothing said; undefined when it has none. */
  baseOf(stage: Stage): BaseImage | undefined {
    const expand = (word: string): string | undefined => orUndefined(() => expandNoting(word, this.#facts.args.globals(), { escape: this.#facts.escape }).text)
    const image = expand(stage.base)
    return image === undefined || image === '' ? undefined : { image, platform: expand(stage.platform) ?? '' }
  }

  /** An image of another platform than is built for. */
  checkPlatform({ line }: Stage, image: string, platform: string, { os, architecture }: ImageConfig): void {
    const wanted = platform || this.#facts.platform
    const expected = wanted === '' ? hostPlatform() : orUndefined(() => parsePlatform(wanted))
    if (expected === undefined || (expected.os === os && expected.architecture === architecture)) return
    this.#say('InvalidBaseImagePlatform', line, `Base image ${image} was pulled with platform "${os}/${architecture}", expected "${expected.os}/${expected.architecture}" for current build`)
  }

  #checkPlatformFlag(stage: Stage): string {
    const { args, escape } = this.#facts
    const written = stage.platform
    const globals = args.globals()
    const { text, found, missing } = expandNoting(written, globals, { escape })
    this.#expand(stage, written)
    if (found.size === 1 && missing.size === 0 && found.has('TARGETPLATFORM') && text === globals.get('TARGETPLATFORM')) {
      this.#say('RedundantTargetPlatform', stage.line, `Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`)
    }
    if (text === '') throw invalid(`empty platform value from expression ${written}${[...missing].map((name) => didYouMean(name, [...globals.keys()], true)).find((hint) => hint !== '') ?? ''}`)
    const platform = parsed(written, text)
    if (found.size + missing.size === 0 && !stage.name.includes(platform.os) && !stage.name.includes(platform.architecture)) {
      this.#say('FromPlatformFlagConstDisallowed', stage.line, `FROM --platform flag should not use constant value "${text}"`)
    }
    return text
  }

  #expand({ line }: Stage, word: string): string {
    const { args, escape } = this.#facts
    const globals = args.globals()
    const { text, missing } = expandNoting(word, globals, { escape })
    for (const name of missing) {
      if (!args.isDeclared(name)) this.#say('UndefinedArgInFrom', line, `FROM argument '${name}' is not declared${didYouMean(name, [...globals.keys()], true)}`)
    }
    return text
  }
}

function parsed(written: string, text: string): ReturnType<typeof parsePlatform> {
  try {
    return parsePlatform(text)
  } catch (error) {
    if (error instanceof EngineError) throw invalid(`failed to parse platform ${written}: ${error.message}`)
    throw error
  }
}

function orUndefined<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof EngineError) return undefined
    throw error
  }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
