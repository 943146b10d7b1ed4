#compdef infermeter
# Completion of infermeter for zsh. `infermeter completions zsh` prints it.

# What every command has.
_infermeter_always=(
    '(- *)'{-h,--help}'[Print help]'
    '(- *)'{-V,--version}'[Print version]'
)

# Completes one of the commands given as NAME:WHAT, or hands what follows to the function of the one that is there.
_infermeter_one_of() {
    local prefix=$1
    shift
    local -a known=("$@") line
    local curcontext="$curcontext" state ret=1
    _arguments -C -S $_infermeter_always '1: :->command' '*:: :->rest' && ret=0
    case $state in
        command)
            _describe -t commands command known && ret=0
            ;;
        rest)
            curcontext="${curcontext%:*:*}:infermeter-$line[1]:"
            (( $+functions[${prefix}_$line[1]] )) && "${prefix}_$line[1]" && ret=0
            ;;
    esac
    return ret
}

# Words and paths that may stand for one value.
_infermeter_words_or() {
    local paths=$1 ret=1
    shift
    compadd -- "$@" && ret=0
    case $paths in
        files) _files && ret=0 ;;
        folders) _files -/ && ret=0 ;;
    esac
    return ret
}

@COMMANDS@
if [[ $funcstack[1] == _infermeter ]]; then
    _infermeter "$@"
else
    compdef _infermeter infermeter
fi
