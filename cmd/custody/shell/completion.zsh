#compdef custody
# custody completion zsh: put `source <(custody completion zsh)` into ~/.zshrc, behind compinit

_custody() {
    local -a found
    local value text files=0
    while IFS=$'\t' read -r value text; do
        if [[ $value == :file ]]; then
            files=1
        else
            found+=("${value//:/\\:}:$text")
        fi
    done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ${#found} )) && _describe 'custody' found
    (( files )) && _files
}

if [[ "${funcstack[1]}" == "_custody" ]]; then
    _custody "$@"
else
    compdef _custody custody
fi
