import { Label, type Program } from '@engine/linux/program'
import { passing } from './passage.ts'

const CLONE_PARENT = 0x8000
const CLONE_PARENT_SETTID = 0x100000
const SIGCHLD = 17

interface Stage {
  /** Where the kernel stores the new process's pid, in the shim's PID namespace. */
  readonly pidAt: number
  /** To be called when everything else is laid out. */
  end(): void
}

/**
 * Appends: become a member of a PID namespace that exists. setns(2) changes the namespace of children only, so the child forks
 * once more; with CLONE_PARENT the new process is the shim's child, as the first one is, and the first one ends.
 * Until here the container could not see the process; what is left to do in its sight should be little. Should the container
 * trace the process and write into its table: the pid is stored where it cannot, if `program.keepApart` came before.
 * The program has joined or made the namespace already.
 * @param passage see passage.ts, when a filter is in force already
 */
export function secondStage(program: Program, passage: bigint | undefined): Stage {
  const pidAt = program.apart()
  const first = new Label()
  program.call('clone', passing(passage, [CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD, 0, pidAt, 0, 0]), { args: { flags: 'CLONE_PARENT' }, onPositive: first })
  return {
    pidAt,
    end: () => {
      // Where execve has failed the new process ends; then comes the first one's end.
      program.call('exit_group', passing(passage, [1]), { args: { status: 1 }, quiet: true })
      program.place(first)
      program.call('exit_group', passing(passage, [0]), { args: { status: 0 }, quiet: true })
    },
  }
}
