import * as z from 'zod'
import { filters } from './filters.ts'

/** GET /plugins */
export const PluginListQuery = z.object({ filters })
