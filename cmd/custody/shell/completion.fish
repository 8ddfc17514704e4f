# custody completion fish: put `custody completion fish | source` into ~/.config/fish/config.fish

function __custody_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for line in ($before[1] __complete $before[2..-1] "$current" 2>/dev/null)
        if test "$line" = ":file"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end

complete -c custody -f -a '(__custody_complete)'
