import * as z from 'zod'

const map = z.record(z.string(), z.string())

/** GET /networks/{id}, and one of GET /networks */
export const Network = z.object({
  Name: z.string(),
  Id: z.string(),
  Created: z.string(),
  Scope: z.string(),
  Driver: z.string(),
  EnableIPv4: z.boolean(),
  EnableIPv6: z.boolean(),
  IPAM: z.object({
    Driver: z.string(),
    Options: map.nullable(),
    Config: z
      .array(z.object({ Subnet: z.string(), IPRange: z.string().optional(), Gateway: z.string().optional(), AuxiliaryAddresses: map.optional() }))
      .nullable(),
  }),
  Internal: z.boolean(),
  Attachable: z.boolean(),
  Ingress: z.boolean(),
  ConfigFrom: z.object({ Network: z.string() }),
  ConfigOnly: z.boolean(),
  Containers: z.record(
    z.string(),
    z.object({ Name: z.string(), EndpointID: z.string(), MacAddress: z.string(), IPv4Address: z.string(), IPv6Address: z.string() }),
  ),
  Options: map,
  Labels: map,
})

export type Network = z.infer<typeof Network>
