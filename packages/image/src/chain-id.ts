import { digestOf, type Digest } from './digest.ts'

/**
 * The chain ID of a stack of layers: what tells the same layer on different parents apart
 * (image-spec, config.md, "Layer ChainID").
 * @param diffIds digests of the uncompressed layer tars, lowest first; at least one
 */
export function chainId(diffIds: readonly Digest[]): Digest {
  const [first, ...rest] = diffIds
  if (first === undefined) throw new RangeError('a chain needs a layer')
  return rest.reduce<Digest>((parent, diffId) => digestOf(`${parent} ${diffId}`), first)
}

/** The chain IDs of all layers of a stack, lowest first. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = []
  for (const diffId of diffIds) {
    const parent = chain.at(-1)
    chain.push(parent === undefined ? diffId : digestOf(`${parent} ${diffId}`))
  }
  return chain
}
