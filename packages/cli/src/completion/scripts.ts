/** What each shell reads to complete `engine`: all of them ask the command itself, by `engine __complete WORDS`. */
export const scripts: Readonly<Record<string, string>> = {
  bash: String.raw`# Completion of engine for bash: source <(engine completion bash)
_engine() {
  local line=${'$'}{COMP_LINE:0:COMP_POINT} candidate
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  # Readline completes from the last colon or equals sign on: what stands before it must not be given again.
  local current=${'$'}{words[-1]} prefix=''
  [[ $current == *[:=]* ]] && prefix=${'$'}{current%"${'$'}{current##*[:=]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r candidate _; do
    COMPREPLY+=("${'$'}{candidate#"$prefix"}")
  done < <(command "${'$'}{words[0]}" __complete "${'$'}{words[@]:1}" 2>/dev/null)
  return 0
}
complete -o default -o bashdefault -F _engine engine
`,
  zsh: String.raw`#compdef engine
# Completion of engine for zsh: source <(engine completion zsh), or as a file _engine in $fpath
_engine() {
  local line
  local -a found
  for line in "${'$'}{(@f)$(command engine __complete "${'$'}{(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && found+=("${'$'}{${'$'}{line%%$'\t'*}//:/\\:}:${'$'}{line#*$'\t'}")
  done
  if (( ${'$'}{#found} )); then
    _describe -t engine engine found
  else
    _files
  fi
}
compdef _engine engine
`,
  fish: String.raw`# Completion of engine for fish: engine completion fish | source
function __engine_complete
    set -l words (commandline -opc)
    set -l found (command engine __complete $words[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        string join \n -- $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c engine -f -a '(__engine_complete)'
`,
}
