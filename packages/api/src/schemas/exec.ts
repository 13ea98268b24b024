import * as z from 'zod'
import { command, flag, goTypes, text, texts, wholeNumber } from './go-json.ts'

/** [height, width] in cells. */
const ConsoleSize = z.tuple([wholeNumber, wholeNumber]).nullish()

/** POST /containers/{id}/exec */
export const ContainerExecBody = z.object({
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ConsoleSize,
  DetachKeys: text,
  Tty: flag,
  Env: texts,
  Cmd: command,
  Privileged: flag,
  User: text,
  WorkingDir: text,
}).register(goTypes, { type: 'container.ExecOptions' })

/** POST /exec/{id}/start */
export const ExecStartBody = z.object({ Detach: flag, Tty: flag, ConsoleSize }).register(goTypes, { type: 'container.ExecStartOptions' })

export type ContainerExecBody = z.infer<typeof ContainerExecBody>
export type ExecStartBody = z.infer<typeof ExecStartBody>
