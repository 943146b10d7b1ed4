# Completion of infermeter for bash. `infermeter completions bash` prints it.

_infermeter() {
    # The words that were typed: bash takes them apart at colons and equals signs.
    local -a words=()
    local word glued= count=0
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if ((count > 0)) && [[ $glued || $word == [:=]* ]]; then
            words[count - 1]+=$word
        else
            words[count++]=$word
        fi
        glued=
        [[ $word == *[:=] ]] && glued=1
    done

    # Which command they name, which flag waits for its value, and how many words stand without a flag.
    local commands flags takes last
    local path= flag= place=1 at
    _infermeter_command ''
    for ((at = 1; at < count - 1; at++)); do
        word=${words[at]}
        if [[ $flag ]]; then
            flag=
        elif [[ " $takes " == *" $word "* ]]; then
            flag=$word
        elif [[ " $commands " == *" $word "* ]]; then
            path+="${path:+ }$word"
            _infermeter_command "$path"
        elif [[ $word != -* ]]; then
            ((place++))
        fi
    done

    # What may stand there.
    local current=${words[count - 1]} before= offered= paths=
    if [[ -z $flag && $current == --*=* ]]; then
        flag=${current%%=*}
        before=$flag=
        current=${current#*=}
    fi
    if [[ $flag ]]; then
        _infermeter_value "$path $flag"
    elif [[ $current == -* ]]; then
        offered=$flags
    elif [[ $commands ]]; then
        offered=$commands
    elif ((last > 0)); then
        _infermeter_value "$path $((place < last ? place : last))"
    fi

    local reply
    COMPREPLY=()
    while IFS= read -r reply; do
        COMPREPLY+=("$reply")
    done < <(
        compgen -W "$offered" -- "$current"
        case $paths in
            files) compgen -f -- "$current" ;;
            folders) compgen -d -- "$current" ;;
        esac
    )
    # Outside of a completion, as in a test, there is nothing to set.
    [[ $paths ]] && compopt -o filenames 2>/dev/null
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:/=] ]] && compopt -o nospace 2>/dev/null

    # bash puts a reply in place of what stands behind the last colon or equals sign alone.
    local cut=
    [[ $COMP_WORDBREAKS == *=* ]] && before=
    [[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && cut=$before${current%"${current##*:}"}
    COMPREPLY=("${COMPREPLY[@]/#/$before}")
    COMPREPLY=("${COMPREPLY[@]#"$cut"}")
    return 0
}

# What a command has: further commands, flags that are shown, flags with a value behind them, kinds of words without a
# flag.
_infermeter_command() {
    commands= flags= takes= last=0
    case $1 in
@COMMANDS@
    esac
}

# What a value may be: words, and paths.
_infermeter_value() {
    case $1 in
@VALUES@
    esac
}

complete -F _infermeter infermeter
