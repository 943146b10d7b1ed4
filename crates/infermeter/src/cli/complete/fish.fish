# Completion of infermeter for fish. `infermeter completions fish` prints it.

# Whether what was typed names this command.
function __infermeter_at
    set -l path
    for word in (commandline -opc)[2..]
        # A command stands before its flags.
        if string match -q -- '-*' $word
            break
        end
        if not contains -- "$path $word" $__infermeter_commands
            break
        end
        set path "$path $word"
    end
    test "$path" = "$argv[1]"
end

set -g __infermeter_commands @COMMANDS@

complete -c infermeter -f
@FLAGS@
