# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion of @PROGRAM@. It says itself what may stand where; what it leaves to the shell is told in lines that
# begin with a colon.

function __usher_complete_@FUNCTION@
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    $words[1] --complete $words[2..-1] "$word" 2>/dev/null | while read -l line
        switch $line
            case :files
                __fish_complete_path "$word"
            case :directories
                __fish_complete_directories "$word"
            case :command
                complete -C (string split -m 1 -- ' -- ' (commandline -cp))[2]
            case '*'
                echo $line
        end
    end
end
complete -c @PROGRAM@ -f -a '(__usher_complete_@FUNCTION@)'
