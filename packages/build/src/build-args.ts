import { isBuilderArg } from './builder-args.ts'
import { expandWord, type Variables } from './dockerfile/expand.ts'

/** Arguments that are always allowed, and change neither history nor cache unless the Dockerfile names them. */
const proxyArgs: ReadonlySet<string> = new Set([
  'HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'FTP_PROXY', 'ftp_proxy', 'NO_PROXY', 'no_proxy', 'ALL_PROXY', 'all_proxy',
])

/** Programs look for a proxy under one of two names; what is given under one counts for both, as with BuildKit. */
function otherSpelling(name: string): string {
  if (!proxyArgs.has(name)) return ''
  return name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase()
}

/** Build arguments of one stage: what was given with the build, what ARG instructions declare, and where each counts. */
export class BuildArgs {
  readonly #given: Variables
  /** ARG before the first FROM, and the platform's own. */
  readonly #global: Map<string, string | undefined>
  readonly #used: Set<string>
  readonly #declared = new Map<string, string | undefined>()
  /** Declared after the stage's environment got the same name: they count before that, as with BuildKit. */
  readonly #above = new Set<string>()

  /** @param given     `--build-arg`; null (no value in the client's environment) counts as not given
   *  @param automatic values of arguments that every build has, `TARGETARCH` */
  constructor(given: Readonly<Record<string, string | null>>, automatic: Readonly<Record<string, string>>)
  constructor(other: BuildArgs)
  constructor(first: BuildArgs | Readonly<Record<string, string | null>>, automatic: Readonly<Record<string, string>> = {}) {
    if (first instanceof BuildArgs) {
      this.#given = first.#given
      this.#global = first.#global
      this.#used = first.#used
    } else {
      this.#given = new Map(Object.entries(first).filter((entry): entry is [string, string] => entry[1] !== null))
      this.#global = new Map(Object.entries(automatic))
      this.#used = new Set()
    }
  }

  /**
   * The arguments at the beginning of a stage: none is declared but those of the stage that it begins from, as with BuildKit.
   * @param below that stage's, at its end
   */
  forStage(below?: BuildArgs): BuildArgs {
    const args = new BuildArgs(this)
    if (below !== undefined) for (const [name, value] of below.#declared) args.#declared.set(name, value)
    return args
  }

  /** The arguments of an ARG before the first FROM; each sees those before it, and those that every build has. @throws EngineError invalid-argument */
  declareGlobals(args: readonly { readonly key: string; readonly value: string | undefined }[], escape: string): void {
    const expand = (word: string): string => expandWord(word, this.globals(), { escape })
    for (const { key, value } of args) this.#declareGlobal(expand(key), value === undefined ? undefined : expand(value))
  }

  #declareGlobal(name: string, value: string | undefined): void {
    // Without a value, one that is automatic keeps its own.
    this.#global.set(name, value ?? this.#global.get(name))
    this.#declared.set(name, value)
    this.#used.add(name)
  }

  /** ARG in a stage. */
  declare(name: string, value: string | undefined): void {
    this.#declared.set(name, value)
    this.#used.add(name)
    if ((this.#given.get(name) ?? value ?? this.#global.get(name)) !== undefined) this.#above.add(name)
  }

  /** ENV in a stage: what it names counts, whatever was declared before. */
  cover(name: string): void {
    this.#above.delete(name)
  }

  /** Whether an ARG names it, with a value or without. */
  isDeclared(name: string): boolean {
    return this.#declared.has(name)
  }

  /** Whether the build gives it a value. */
  isGiven(name: string): boolean {
    return this.#given.has(name)
  }

  /** What counts in FROM lines. */
  globals(): Map<string, string> {
    return this.#values(this.#global)
  }

  /** What is declared, and the proxy arguments that were given. */
  declared(): Map<string, string> {
    return this.#values(this.#declared)
  }

  /** {@link declared} without the names that the environment sets, unless they were declared after that; as `NAME=value`. */
  environment(configured: Variables): string[] {
    return [...this.declared()].filter(([name]) => !configured.has(name) || this.#above.has(name)).map(([name, value]) => `${name}=${value}`)
  }

  /** Whether an argument counts for history and cache: a proxy's does only when the Dockerfile declares it. */
  counts(name: string): boolean {
    return !proxyArgs.has(name) || this.#declared.has(name)
  }

  /** Arguments that were given and that no ARG declares, sorted. */
  unused(all: Readonly<Record<string, string | null>>): string[] {
    return Object.keys(all).filter((name) => !proxyArgs.has(name) && !isBuilderArg(name) && !this.#used.has(name)).toSorted()
  }

  #values(declared: ReadonlyMap<string, string | undefined>): Map<string, string> {
    const values = new Map<string, string>()
    for (const name of [...declared.keys(), ...proxyArgs]) {
      const value = this.#given.get(name) ?? declared.get(name) ?? this.#global.get(name) ?? this.#given.get(otherSpelling(name))
      if (value !== undefined) values.set(name, value)
    }
    return values
  }
}
