import type { Handlers } from '../call.ts'

/** Serves GET /plugins: there are no managed plugins. */
export const plugins: Handlers<'PluginList'> = {
  PluginList: async () => [],
}
