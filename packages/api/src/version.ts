/** The API version that the daemon speaks by default: the contract is Docker's v1.51. */
export const API_VERSION = '1.51'

/** The oldest version that a client may ask for. */
export const MIN_API_VERSION = '1.24'
