import { eraseCredentials, serverOfLogin } from '../registries/credentials.ts'
import { print } from '../terminal/output.ts'
import { defineCommand } from './command.ts'

export const command = defineCommand({
  usage: '[SERVER]',
  summary: 'Log out from a registry',
  flags: {},
  args: [0, 1],
  async run({ args: [given] }) {
    const server = serverOfLogin(given)
    print(`Removing login credentials for ${server}\n`)
    await eraseCredentials(server)
    return 0
  },
})
