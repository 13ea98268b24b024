import type { RunConfig } from '@engine/image'
import { EngineError } from '@engine/linux'
import { BuildArgs } from './build-args.ts'
import { expandWord, expandWords, toVariables } from './dockerfile/expand.ts'
import { parseInstruction } from './dockerfile/instructions.ts'
import { parseDockerfile } from './dockerfile/parse.ts'
import { joinPath } from './filepath.ts'
import { StageState } from './stage-state.ts'
import { applyInstruction, expandInstruction } from './steps/change.ts'

const allowed: ReadonlySet<string> = new Set(['cmd', 'entrypoint', 'healthcheck', 'env', 'expose', 'label', 'onbuild', 'stopsignal', 'user', 'volume', 'workdir'])

/**
 * Applies `--change` instructions of `docker commit` and `docker import` to a configuration, without a build.
 * @returns a new configuration
 * @throws EngineError invalid-argument with Docker's texts
 */
export function applyChanges(config: RunConfig, changes: readonly string[]): RunConfig {
  if (changes.length === 0) return config
  const file = parseDockerfile(changes.join('\n'))
  for (const { keyword } of file.nodes) {
    if (!allowed.has(keyword.toLowerCase())) throw new EngineError('invalid-argument', `${keyword} is not a valid change command`)
  }
  const instructions = file.nodes.map(parseInstruction)
  const state = new StageState({ id: '-', content: '', config, author: '' }, new BuildArgs({}, {}))
  // A base image gets the default PATH; what is committed stays as it was.
  if (config.Env === undefined) delete state.config.Env
  else state.config.Env = config.Env
  for (const written of instructions) {
    const variables = toVariables(state.environment)
    const one = (word: string): string => expandWord(word, variables, { escape: file.escape })
    if (written.kind === 'workdir') {
      const path = one(written.path)
      state.config.WorkingDir = path.startsWith('/') ? path : joinPath('/', state.config.WorkingDir ?? '', path)
    } else {
      applyInstruction(state, expandInstruction(written, one, (word) => expandWords(word, variables, { escape: file.escape })))
    }
  }
  return state.config
}
