# custody completion bash: put `source <(custody completion bash)` into ~/.bashrc

_custody() {
    local current="${COMP_WORDS[COMP_CWORD]}" value text
    COMPREPLY=()
    while IFS=$'\t' read -r value text; do
        if [[ $value == :file ]]; then
            compopt -o default
            continue
        fi
        # Bash takes a = for a word of its own.
        if [[ $value == --*=* && $current != --*=* ]]; then
            value="${value#*=}"
        fi
        COMPREPLY+=("$value")
    done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -F _custody custody
