import * as z from 'zod'
import { filters } from './filters.ts'
import { bool, word } from './parameters.ts'

/** GET /networks */
export const NetworkListQuery = z.object({ filters })

/** GET /networks/{id} */
export const NetworkInspectQuery = z.object({ verbose: bool(), scope: word })
