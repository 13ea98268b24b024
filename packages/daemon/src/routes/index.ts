import type { Handlers } from '../call.ts'
import type { OperationId } from '@engine/api'
import { archive } from './archive.ts'
import { archives } from './archives.ts'
import { build } from './build.ts'
import { containers } from './containers.ts'
import { events } from './events.ts'
import { exec } from './exec.ts'
import { images } from './images.ts'
import { networks } from './networks.ts'
import { plugins } from './plugins.ts'
import { registries } from './registries.ts'
import { system } from './system.ts'
import { volumes } from './volumes.ts'

/** A handler for every operation of the table in @engine/api. */
export const handlers: Handlers<OperationId> = { ...containers, ...archive, ...exec, ...images, ...archives, ...build, ...networks, ...volumes, ...events, ...plugins, ...registries, ...system }
