# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion of usher-tun, usher-gate, usher-console and usher-pki. Each says itself what may stand where; what it
# leaves to the shell is told in lines that begin with a colon.

_usher() {
    local lines line i
    mapfile -t lines < <("$1" --complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" "$2" 2>/dev/null)
    COMPREPLY=()
    for line in "${lines[@]}"; do
        case $line in
        :files | :directories)
            compopt -o filenames
            local kind=-f
            [ "$line" = :files ] || kind=-d
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen $kind -- "$2")
            ;;
        :command)
            for ((i = 1; i < COMP_CWORD; i++)); do [ "${COMP_WORDS[i]}" != -- ] || break; done
            if declare -F _command_offset >/dev/null; then
                _command_offset $((i + 1))
            elif [ $((i + 1)) -eq "$COMP_CWORD" ]; then
                mapfile -t COMPREPLY < <(compgen -c -- "$2")
            else
                compopt -o default
            fi
            return
            ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done
}
complete -F _usher usher-tun usher-gate usher-console usher-pki
