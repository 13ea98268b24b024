import { scripts } from '../completion/scripts.ts'
import { CommandError, defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: 'bash|zsh|fish',
  summary: 'Print what a shell reads to complete command lines of engine',
  examples: [
    ['source <(engine completion bash)', 'in ~/.bashrc'],
    ['source <(engine completion zsh)', 'in ~/.zshrc, after compinit'],
    ['engine completion fish | source', 'in ~/.config/fish/config.fish'],
  ],
  flags: {},
  args: [1, 1],
  async run({ args: [shell = ''] }) {
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
    if (script === undefined) throw new CommandError(`no completion for ${JSON.stringify(shell)}: there are ${Object.keys(scripts).join(', ')}`)
    print(script)
    return 0
  },
})
