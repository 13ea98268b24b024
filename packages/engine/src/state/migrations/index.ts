import type { Migration } from '../database.ts'
import { migration as containers } from './0001-containers.ts'

/** Every step of engine.db's schema, one file and one number each. */
export const migrations: readonly Migration[] = [containers]
