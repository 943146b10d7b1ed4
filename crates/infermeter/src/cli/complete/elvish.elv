# Completion of infermeter for elvish. `infermeter completions elvish` prints it.

use str

# What a command has: further commands and flags with what they do, flags with a value behind them, and how many kinds of
# words without a flag.
var infermeter-commands = [
@COMMANDS@
]

# What a value may be: words, and paths.
var infermeter-values = [
@VALUES@
]

fn infermeter-offer {|pairs|
    for pair $pairs {
        edit:complex-candidate $pair[0] &display=$pair[0]'  ('$pair[1]')'
    }
}

fn infermeter-value {|key before current|
    if (not (has-key $infermeter-values $key)) {
        return
    }
    for word $infermeter-values[$key][words] {
        put $before$word
    }
    if (and (eq $before '') (not-eq $infermeter-values[$key][paths] '')) {
        edit:complete-filename $current
    }
}

set edit:completion:arg-completer[infermeter] = {|@words|
    var path = ''
    var flag = ''
    var place = (num 1)
    for word $words[1..-1] {
        var command = $infermeter-commands[$path]
        if (not-eq $flag '') {
            set flag = ''
        } elif (has-value $command[takes] $word) {
            set flag = $word
        } elif (has-key $infermeter-commands (str:trim-left $path' '$word ' ')) {
            set path = (str:trim-left $path' '$word ' ')
        } elif (not (str:has-prefix $word '-')) {
            set place = (+ $place 1)
        }
    }
    var current = $words[-1]
    var command = $infermeter-commands[$path]
    if (not-eq $flag '') {
        infermeter-value $path' '$flag '' $current
    } elif (and (str:has-prefix $current '--') (str:contains $current '=')) {
        var name rest = (str:split &max=2 '=' $current)
        infermeter-value $path' '$name $name'=' $rest
    } elif (str:has-prefix $current '-') {
        infermeter-offer $command[flags]
    } elif (not-eq (count $command[commands]) (num 0)) {
        infermeter-offer $command[commands]
    } elif (< $place $command[last]) {
        infermeter-value $path' '$place '' $current
    } else {
        infermeter-value $path' '$command[last] '' $current
    }
}
