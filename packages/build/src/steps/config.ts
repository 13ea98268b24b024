import { randomBytes } from 'node:crypto'
import { showList } from '../dockerfile/go-text.ts'
import type { ArgInstruction, Instruction } from '../dockerfile/instruction-types.ts'
import { shortId } from '../output.ts'
import { applyInstruction, expandInstruction } from './change.ts'
import { comment, expand, expandMany, newImage, withCache, type Step } from './step.ts'

/** Carries out an instruction that changes the configuration only. */
export async function configure(step: Step, written: Instruction): Promise<void> {
  const { state, build, output } = step
  const instruction = written.kind === 'arg' ? declareArgs(step, written) : expandInstruction(written, (word) => expand(step, word), (word) => expandMany(step, word))
  if (instruction.kind === 'healthcheck') {
    const before = state.config.Healthcheck?.Test ?? []
    if (before.length > 0 && before[0] !== 'NONE') await output.stdout(`Note: overriding previous HEALTHCHECK: ${showList(before)}\n`)
  }
  const change = applyInstruction(state, instruction)
  // After the change: SHELL counts for its own step.
  const createdBy = comment(step, ` ${change}`)
  await withCache(step, { instruction: createdBy }, () => named(step, () => build.executor.commit(newImage(step, createdBy))))
}

/** Of several arguments in one ARG, each sees those before it. */
function declareArgs(step: Step, written: ArgInstruction): ArgInstruction {
  const args = written.args.map(({ key, value }) => {
    const arg = { key: expand(step, key), value: value === undefined ? undefined : expand(step, value) }
    step.state.args.declare(arg.key, arg.value)
    return arg
  })
  return { ...written, args }
}

/**
 * Docker makes a container for a step like this, tells its id, and removes it again. Nothing needs one: ours has only the id.
 */
export async function named(step: Step, work: () => Promise<string>): Promise<string> {
  const { output, build: { remove } } = step
  const id = shortId(randomBytes(32).toString('hex'))
  await output.stdout(` ---> Running in ${id}\n`)
  const image = await work()
  if (remove !== 'never') await output.stdout(` ---> Removed intermediate container ${id}\n`)
  return image
}
