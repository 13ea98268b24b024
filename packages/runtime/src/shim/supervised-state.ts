import type { ProcessEnd } from '@engine/linux/wait'
import type { ShimProcess } from './client-types.ts'
import type { Fifos } from './fifos.ts'
import type { ExitStatus } from './messages.ts'

/** The descriptors that are held for a process. */
export interface HeldDescriptors {
  /** Absent once the process has ended. */
  readonly pidfd?: number
  readonly fifos?: Fifos
  readonly master?: number
}

/** Everything about a supervised process that a successor of this program needs; descriptors stay open by their numbers. */
export interface SupervisedState extends HeldDescriptors {
  readonly process: Omit<ShimProcess, 'status' | 'stdin'>
  readonly adopted: boolean
  readonly oomKillsBefore: number
  /** How it ended, should it have, as whoever asked to adopt it was told. */
  readonly told?: ProcessEnd
  /** It has ended, and this is known of it; its output may be incomplete. */
  readonly ended?: { readonly end?: ProcessEnd; readonly finishedAt: string }
  readonly status?: ExitStatus
  /** Output that was read from a terminal but not written yet, base64. */
  readonly unsaved?: string
}
