"""`python -m cloudxai_analysis.cli`."""

from cloudxai_analysis.cli.main import main

if __name__ == "__main__":
    main()
