# Completion of infermeter for PowerShell. `infermeter completions powershell` prints it.

Register-ArgumentCompleter -Native -CommandName 'infermeter' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What a command has: further commands and flags with what they do, flags with a value behind them, and how many
    # kinds of words without a flag.
    $commands = @{
@COMMANDS@
    }
    # What a value may be: words, and paths.
    $values = @{
@VALUES@
    }

    $path = ''
    $flag = ''
    $place = 1
    $typed = $commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text }
    foreach ($word in $typed) {
        if ($flag) {
            $flag = ''
        } elseif ($commands[$path].takes -ccontains $word) {
            $flag = $word
        } elseif ($commands.ContainsKey("$path $word".Trim())) {
            $path = "$path $word".Trim()
        } elseif (-not $word.StartsWith('-')) {
            $place += 1
        }
    }

    $command = $commands[$path]
    $before = ''
    $current = $wordToComplete
    $offered = @()
    $key = ''
    if (-not $flag -and $current -match '^(--[^=]+)=(.*)$') {
        $flag = $Matches[1]
        $before = "$flag="
        $current = $Matches[2]
    }
    if ($flag) {
        $key = "$path $flag"
    } elseif ($current.StartsWith('-')) {
        $offered = $command.flags
    } elseif ($command.commands.Count -gt 0) {
        $offered = $command.commands
    } else {
        $key = "$path $([Math]::Min($place, $command.last))"
    }

    foreach ($pair in $offered) {
        if ($pair[0].StartsWith($current)) {
            [System.Management.Automation.CompletionResult]::new($pair[0], $pair[0], 'ParameterValue', $pair[1])
        }
    }
    if ($key -and $values.ContainsKey($key)) {
        foreach ($word in $values[$key].words) {
            if ($word.StartsWith($current)) {
                [System.Management.Automation.CompletionResult]::new("$before$word", $word, 'ParameterValue', $word)
            }
        }
        if ($values[$key].paths -and -not $before) {
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($current)
        }
    }
}
