import about from '../package.json' with { type: 'json' }

/** The command's version: that of its package. */
export const VERSION: string = about.version
