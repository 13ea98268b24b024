import { EngineError } from '@engine/linux'
import { mkdirAllInRoot } from '@engine/linux/paths'
import { failedWith, Errno } from '@engine/linux'
import type { Instruction } from '../dockerfile/instruction-types.ts'
import { joinPath } from '../filepath.ts'
import { named } from './config.ts'
import { comment, expand, newImage, withCache, type Step } from './step.ts'

/** WORKDIR: sets the working directory and makes it, if it is not there. */
export async function workdir(step: Step, instruction: Extract<Instruction, { kind: 'workdir' }>): Promise<void> {
  const { state, build } = step
  const path = expand(step, instruction.path)
  if (path === '') throw new EngineError('invalid-argument', 'cannot normalize nothing')
  const directory = path.startsWith('/') ? path : joinPath('/', state.config.WorkingDir ?? '', path)
  state.config.WorkingDir = directory
  const createdBy = comment(step, `WORKDIR ${directory}`)
  await withCache(step, { instruction: createdBy }, () =>
    named(step, async () => {
      await using root = await build.executor.editRoot(state.image, 'on top')
      try {
        mkdirAllInRoot(root.fd, directory, 0o755).close()
      } catch (error) {
        if (failedWith(error, Errno.ENOTDIR)) throw new EngineError('invalid-argument', `Cannot mkdir: ${directory} is not a directory`, { cause: error })
        throw error
      }
      return await root.commit(newImage(step, createdBy))
    }),
  )
}
