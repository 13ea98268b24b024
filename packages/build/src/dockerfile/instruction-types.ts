import type { Heredoc } from './heredoc.ts'

/** What every instruction has. */
interface Written {
  /** As it is written, in one line: what a build's output shows. */
  readonly code: string
  /** Its first line in the Dockerfile, from 1. */
  readonly line: number
}

export interface Pair {
  readonly key: string
  readonly value: string
}

/** A command in shell form (one text, run by the stage's SHELL) or exec form (a list). */
export interface CommandLine {
  readonly args: readonly string[]
  readonly shell: boolean
  readonly heredocs: readonly Heredoc[]
}

/** A file whose content stands in the Dockerfile. */
export interface InlineFile {
  readonly path: string
  readonly data: string
  readonly expand: boolean
}

/** An image's or a container's health check, as the API spells it; durations in nanoseconds, absent when 0. */
export interface Healthcheck {
  Test?: string[]
  Interval?: number
  Timeout?: number
  StartPeriod?: number
  StartInterval?: number
  Retries?: number
}

/** COPY and ADD. */
export interface CopyInstruction extends Written {
  readonly kind: 'copy' | 'add'
  readonly sources: readonly string[]
  readonly files: readonly InlineFile[]
  readonly destination: string
  /** COPY: a stage's name or number, or an image; empty is the build context. */
  readonly from: string
  readonly chown: string
  readonly chmod: string
  /** ADD: digest of what a URL gives. */
  readonly checksum: string
  /** ADD: whether archives are unpacked; by default those of the context are, and those that it downloads are not. */
  readonly unpack: boolean | undefined
  /** ADD of a git repository: whether `.git` stays. */
  readonly keepGitDir: boolean
  /** The layer is made apart from what is below it: nothing of that is followed or looked at. */
  readonly link: boolean
  /** COPY: sources keep the directories of their paths, from `/./` on where that is in them. */
  readonly parents: boolean
  /** Patterns of what is left out. */
  readonly exclude: readonly string[]
}

/** RUN. */
export interface RunInstruction extends Written {
  readonly kind: 'run'
  readonly command: CommandLine
  /** Values of `--mount`, not yet expanded. */
  readonly mounts: readonly string[]
  /** `default`, `none`, `host`; empty is not given. */
  readonly network: string
  /** `sandbox`, `insecure`; empty is not given. */
  readonly security: string
}

export type Instruction =
  | (Written & { readonly kind: 'arg'; readonly args: readonly { readonly key: string; readonly value: string | undefined }[] })
  | (Written & { readonly kind: 'cmd'; readonly command: CommandLine })
  | CopyInstruction
  | (Written & { readonly kind: 'entrypoint'; readonly command: CommandLine })
  | (Written & { readonly kind: 'env'; readonly pairs: readonly Pair[] })
  | (Written & { readonly kind: 'expose'; readonly ports: readonly string[] })
  | (Written & { readonly kind: 'healthcheck'; readonly health: Healthcheck })
  | (Written & { readonly kind: 'label'; readonly pairs: readonly Pair[]; readonly expand: boolean })
  | (Written & { readonly kind: 'maintainer'; readonly name: string })
  | (Written & { readonly kind: 'onbuild'; readonly expression: string })
  | RunInstruction
  | (Written & { readonly kind: 'shell'; readonly shell: readonly string[] })
  | (Written & { readonly kind: 'stopsignal'; readonly signal: string })
  | (Written & { readonly kind: 'user'; readonly user: string })
  | (Written & { readonly kind: 'volume'; readonly volumes: readonly string[] })
  | (Written & { readonly kind: 'workdir'; readonly path: string })

/** One `FROM` and what follows it. */
export interface Stage {
  /** Lower case; empty when it has none. */
  readonly name: string
  /** The image or stage that it begins from, not yet expanded. */
  readonly base: string
  readonly platform: string
  readonly code: string
  readonly line: number
  readonly instructions: readonly Instruction[]
}

export type ArgInstruction = Extract<Instruction, { kind: 'arg' }>

/** A Dockerfile that is understood. */
export interface Stages {
  /** ARG instructions before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[]
  readonly stages: readonly Stage[]
  readonly escape: string
  readonly warnings: readonly string[]
}
