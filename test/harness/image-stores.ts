import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { ContentStore, FileWorkers, OverlayStore, type TarLimits } from '@engine/image'

export interface ImageStores {
  /** A folder of the test's own that holds all of it. */
  readonly directory: string
  readonly content: ContentStore
  readonly snapshots: OverlayStore
  readonly workers: FileWorkers
  /** The snapshot store opened anew, as after a restart. */
  reopen(): Promise<OverlayStore>
}

export const workerProgram = new URL('../../packages/image/src/worker/main.ts', import.meta.url)

/**
 * Stores in a folder of their own, with every mount, thread and file taken away at the test's end.
 * @param below a path below that folder, to make the stores' own paths longer
 */
export async function imageStores(t: Pick<TestContext, 'after'>, limits?: TarLimits, below = ''): Promise<ImageStores> {
  const base = mkdtempSync(join(tmpdir(), 'engine-image-'))
  const directory = join(base, below)
  mkdirSync(directory, { recursive: true })
  const workers = new FileWorkers({ program: workerProgram, threads: 2, keep: 10_000 })
  const content = new ContentStore(join(directory, 'content'))
  await content.clean()
  const open = () => OverlayStore.open({ root: join(directory, 'overlay2'), workers, ...(limits === undefined ? {} : { limits }) })
  const snapshots = await open()
  t.after(async () => {
    await snapshots.detach()
    await workers.close()
    rmSync(base, { recursive: true, force: true })
  })
  return { directory, content, snapshots, workers, reopen: open }
}
