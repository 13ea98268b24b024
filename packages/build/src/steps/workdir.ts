import { EngineError } from '@engine/linux'
import { mkdirAllInRoot } from '@engine/linux/paths'
import { failedWith, Errno } from '@engine/linux'
import type { Owner } from '../context/destination.ts'
import { parseOwner } from '../context/owner.ts'
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
  const user = state.config.User ?? ''
  await withCache(step, { instruction: createdBy, ...(user === '' ? {} : { settings: { user } }) }, () =>
    named(step, async () => {
      await using root = await build.executor.editRoot(state.image, 'on top')
      try {
        mkdirAllInRoot(root.fd, directory, 0o755, ownerOf(state.config.User ?? '', root.fd)).close()
      } catch (error) {
        if (failedWith(error, Errno.ENOTDIR)) throw new EngineError('invalid-argument', `Cannot mkdir: ${directory} is not a directory`, { cause: error })
        throw error
      }
      return await root.commit(newImage(step, createdBy))
    }),
  )
}

/** A directory that is made is the user's, as with BuildKit; root's when the image does not know the user. */
function ownerOf(user: string, rootFd: number): Owner | undefined {
  if (user === '') return undefined
  try {
    return parseOwner(user, rootFd)
  } catch (error) {
    if (error instanceof EngineError) return undefined
    throw error
  }
}
