import { EngineError } from '@engine/linux'

/** A RUN step's command failed: its exit status goes to the client with the text. */
export class BuildFailure extends EngineError {
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super('internal', message)
    this.name = 'BuildFailure'
    this.exitCode = exitCode
  }
}
