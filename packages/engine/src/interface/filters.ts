/** Parsed `filters`: values by key; the keys are checked by the verb ("invalid filter 'x'"). */
export type Filters = ReadonlyMap<string, readonly string[]>
