import type { ExecInspect } from '../types/container-views.ts'
import type { Attachment } from './streams.ts'

export interface CreateExec {
  readonly Cmd: readonly string[]
  readonly AttachStdin: boolean
  readonly AttachStdout: boolean
  readonly AttachStderr: boolean
  readonly Tty: boolean
  readonly DetachKeys?: string | undefined
  readonly Env?: readonly string[] | undefined
  readonly User?: string | undefined
  readonly WorkingDir?: string | undefined
  readonly Privileged: boolean
  /** [height, width] */
  readonly ConsoleSize?: readonly [number, number] | undefined
}

export interface Execs {
  create(container: string, request: CreateExec): Promise<{ Id: string }>
  /** Resolves when the process has been executed; without `detach` with its streams. */
  start(id: string, options: { readonly detach: boolean; readonly tty: boolean; readonly consoleSize?: readonly [number, number] | undefined }): Promise<Attachment | undefined>
  inspect(id: string): Promise<ExecInspect>
  resize(id: string, rows: number, columns: number): Promise<void>
}
