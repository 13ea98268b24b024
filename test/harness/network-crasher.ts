// A daemon that connects containers until it is killed; see test/root/network-crash.test.ts. Its arguments: directory, table, bridge.
import { join } from 'node:path'
import { BridgeNetwork, createLease, createSandbox, defaultSubnetPools, Firewall, randomHostInterface, removeSandbox } from '@engine/network'

const [directory = '', table = '', bridge = ''] = process.argv.slice(2)
const firewall = new Firewall(table)
for (let round = 0; ; round++) {
  firewall.ensure()
  const network = new BridgeNetwork({ bridge, subnetPools: defaultSubnetPools, mtu: 1500, masquerade: true, interContainer: false }, firewall)
  network.ensure()
  for (let index = 0; index < 20; index++) {
    const path = join(directory, `${process.pid}-${round}-${index}`)
    const lease = createLease({ hostInterface: randomHostInterface(), address: `172.17.${round % 250}.${index + 2}` })
    await createSandbox(path)
    await network.connect(path, lease)
    if (index === 0 && round === 0) process.stdout.write('at work\n')
    if (index % 2 === 0) continue
    network.release(lease)
    removeSandbox(path)
  }
  network[Symbol.dispose]()
}
