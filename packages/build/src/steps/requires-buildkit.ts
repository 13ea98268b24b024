import { EngineError } from '@engine/linux'

/** What Docker's classic builder says to an option that it does not have. */
export function requiresBuildKit(flag: string): EngineError {
  return new EngineError(
    'invalid-argument',
    `the --${flag} option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build images with BuildKit enabled`,
  )
}
