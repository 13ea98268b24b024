import { EngineError } from '@engine/linux'
import type { Stages } from './instruction-types.ts'
import { parseInstructions } from './instructions.ts'
import { parseDockerfile } from './parse.ts'

/** Reads a Dockerfile. @throws EngineError invalid-argument with Docker's texts */
export function understand(text: string): Stages {
  let parsed
  try {
    parsed = parseDockerfile(text)
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError('invalid-argument', `failed to parse Dockerfile: ${error.message}`)
    throw error
  }
  return parseInstructions(parsed)
}
