import type { EngineContext } from '../context.ts'
import type { EndpointSettingsView } from '../types/container-config.ts'
import type { NetworkSettingsView } from '../types/container-views.ts'
import { dnsNames } from '../networks/dns-names.ts'
import { isPredefined } from '../networks/networks-table.ts'
import type { Container } from './container.ts'
import { portMap } from './port-bindings.ts'

/** `NetworkSettings.Networks`: what was asked for, and what it has while it runs. */
export function networkEndpoints(engine: EngineContext, container: Container): Record<string, EndpointSettingsView> {
  const { endpoints } = container.sandbox
  return Object.fromEntries(
    Object.entries(container.record.endpoints).map(([name, asked]): [string, EndpointSettingsView] => {
      const network = engine.networks.records.find((one) => one.name === name)
      const here = endpoints.find(({ networkId }) => networkId === network?.id)
      return [name, {
        IPAMConfig: asked.IPAMConfig,
        Links: asked.Links,
        Aliases: asked.Aliases,
        MacAddress: here?.lease?.mac ?? asked.MacAddress,
        DriverOpts: asked.DriverOpts,
        GwPriority: asked.GwPriority,
        NetworkID: here?.networkId ?? '',
        EndpointID: here?.id ?? '',
        Gateway: here?.gateway ?? '',
        IPAddress: here?.lease?.address ?? '',
        IPPrefixLen: here?.lease?.address === undefined ? 0 : here.prefix,
        IPv6Gateway: here?.gateway6 ?? '',
        GlobalIPv6Address: here?.lease?.address6 ?? '',
        GlobalIPv6PrefixLen: here?.lease?.address6 === undefined ? 0 : here.prefix6,
        DNSNames: here === undefined || isPredefined(name) ? null : dnsNames(container, asked),
      }]
    }),
  )
}

/** `NetworkSettings`: the fields of old repeat the default bridge's endpoint. */
export function networkSettings(engine: EngineContext, container: Container): NetworkSettingsView {
  const endpoints = networkEndpoints(engine, container)
  const bridge = endpoints['bridge']
  return {
    Bridge: '',
    SandboxID: container.sandbox.id,
    SandboxKey: container.sandbox.key,
    Ports: portMap(container),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: bridge?.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: bridge?.IPv6Gateway ?? '',
    MacAddress: bridge?.MacAddress ?? '',
    Networks: endpoints,
  }
}
