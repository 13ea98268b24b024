import type { LinkRule } from '@engine/network'
import type { EngineContext } from '../context.ts'
import type { Container } from './container.ts'
import { exposed, linksOf } from './links.ts'

/**
 * Where containers of the default network are kept apart (`icc` is off), a link opens the ports that its target exposes, for the one
 * container that has the link (moby: libnetwork/drivers/bridge, link.go). Called whenever a container comes to that network or leaves
 * it; all links are laid anew in one transaction. Nothing happens where containers reach each other anyhow.
 */
export function openLinks(engine: EngineContext): void {
  if (engine.options.interContainer) return
  const { id: bridge } = engine.networks.find('bridge')
  // One that is just starting has its place already: its program is to find the ports open.
  const portOf = ({ sandbox, connecting }: Container): string | undefined => [...sandbox.endpoints, ...connecting].find(({ networkId }) => networkId === bridge)?.lease?.hostInterface
  const rules = engine.containers.all().flatMap((container): LinkRule[] => {
    const from = portOf(container)
    if (from === undefined) return []
    return linksOf(engine.containers, container).flatMap(({ target }) => {
      const to = portOf(target)
      return to === undefined ? [] : exposed(target).map(({ port, protocol }) => ({ from, to, protocol, port }))
    })
  })
  engine.networks.firewall.setLinks(rules)
}
