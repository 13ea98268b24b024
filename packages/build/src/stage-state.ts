import type { RunConfig } from '@engine/image'
import type { BuildArgs } from './build-args.ts'
import { toVariables } from './dockerfile/expand.ts'
import type { BuildImage } from './executor.ts'

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const defaultShell = ['/bin/sh', '-c']

/** How far a stage has been built. */
export class StageState {
  /** Id of the image of its last step; empty right after `FROM scratch`. */
  image: string
  /** {@link BuildImage.content} of that image. */
  content: string
  config: RunConfig
  author: string
  /** CMD was given in this stage: then ENTRYPOINT does not take it back. */
  commandSet = false
  readonly args: BuildArgs

  constructor(base: BuildImage, args: BuildArgs) {
    this.image = base.id
    this.content = base.content
    this.config = structuredClone(base.config)
    this.author = base.author
    // What has nothing below it has its root at least.
    if (base.id === '' && !this.config.WorkingDir) this.config.WorkingDir = '/'
    this.args = args
    if (!toVariables(this.environment).has('PATH')) this.config.Env = [...this.environment, defaultPath]
  }

  get environment(): readonly string[] {
    return this.config.Env ?? []
  }

  /** What runs commands in shell form. */
  get shell(): readonly string[] {
    return this.config.Shell?.length ? this.config.Shell : defaultShell
  }
}
