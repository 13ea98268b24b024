import * as z from 'zod'
import { goTypes } from './go-json.ts'
import { EndpointSettings } from './container-config.ts'
import { filters } from './filters.ts'
import { bool, word } from './parameters.ts'

/** GET /networks */
export const NetworkListQuery = z.object({ filters })

/** GET /networks/{id} */
export const NetworkInspectQuery = z.object({ verbose: bool(), scope: word })

/** GET /net/trace, which is ours */
export const NetTraceQuery = z.object({ from: word, to: word, protocol: z.enum(['tcp', 'udp']).default('tcp'), family: z.enum(['ipv4', 'ipv6']).optional() })

const text = z.string().nullish()
const flag = z.boolean().nullish()
const textMap = z.record(z.string(), z.string()).nullish()

/** POST /networks/create */
export const NetworkCreateBody = z.object({
  Name: z.string().nullish().transform((name) => name ?? ''),
  CheckDuplicate: flag,
  Driver: text,
  Scope: text,
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: z.object({ Network: text }).nullish(),
  IPAM: z
    .object({
      Driver: text,
      Options: textMap,
      Config: z.array(z.object({ Subnet: text, IPRange: text, Gateway: text, AuxiliaryAddresses: textMap }).register(goTypes, { type: 'network.IPAMConfig' })).nullish(),
    })
    .nullish(),
  EnableIPv4: flag,
  EnableIPv6: flag,
  Options: textMap,
  Labels: textMap,
}).register(goTypes, { type: 'network.CreateRequest' })

/** POST /networks/{id}/connect */
export const NetworkConnectBody = z.object({ Container: text, EndpointConfig: EndpointSettings.nullish() }).register(goTypes, { type: 'network.ConnectOptions' })

/** POST /networks/{id}/disconnect */
export const NetworkDisconnectBody = z.object({ Container: text, Force: flag }).register(goTypes, { type: 'network.DisconnectOptions' })
