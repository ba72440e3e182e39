#compdef @PROGRAM@
# SPDX-License-Identifier: GPL-2.0-or-later
# zsh completion. Each program says itself what may stand where; what it leaves to the shell is told in lines that begin
# with a colon.

_usher() {
    local line dash tab=$'\t'
    local -a asked offered
    asked=("${(@f)$("${(Q)words[1]}" --complete "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
    for line in $asked; do
        case $line in
        :files) _files ;;
        :directories) _files -/ ;;
        :command)
            dash=${words[(i)--]}
            words=("${(@)words[dash+1,-1]}")
            ((CURRENT -= dash))
            _normal
            return
            ;;
        *) offered+=("${${line//:/\\:}/$tab/:}") ;;
        esac
    done
    ((! $#offered)) || _describe '' offered
}

_usher "$@"
