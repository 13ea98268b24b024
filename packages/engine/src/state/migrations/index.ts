import type { Migration } from '../database.ts'
import { migration as containers } from './0001-containers.ts'
import { migration as images } from './0002-images.ts'
import { migration as buildCache } from './0003-build-cache.ts'
import { migration as networks } from './0004-networks.ts'
import { migration as buildSteps } from './0005-build-steps.ts'
import { migration as health } from './0006-health.ts'
import { migration as registry } from './0007-registry.ts'
import { migration as volumeOptions } from './0008-volume-options.ts'
import { migration as imageUses } from './0009-image-uses.ts'
import { migration as projectQuotas } from './0010-project-quotas.ts'

/** Every step of engine.db's schema, one file and one number each. */
export const migrations: readonly Migration[] = [containers, images, buildCache, networks, buildSteps, health, registry, volumeOptions, imageUses, projectQuotas]
