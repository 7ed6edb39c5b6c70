from pspgui.app import main

main()
