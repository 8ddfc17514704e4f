package main

import (
	"context"
	"slices"

	"github.com/alecthomas/kong"
)

// A program is the grammar of the command line.
type program struct {
	flags

	Demo      demoCommand      `cmd:"" help:"The whole story in one terminal; ends by itself."`
	Dev       devCommand       `cmd:"" help:"A development server that keeps its data in ./.custody."`
	Serve     serveCommand     `cmd:"" help:"A process: API and worker."`
	Migrate   migrateCommand   `cmd:"" help:"The database's schema."`
	Workflow  workflowCommand  `cmd:"" help:"Write, check and register workflows."`
	Run       runCommand       `cmd:"" help:"Submit and watch runs."`
	Approvals approvalsCommand `cmd:"" help:"What waits for me."`
	Approve   approveCommand   `cmd:"" help:"Approve what is shown."`
	Reject    rejectCommand    `cmd:"" help:"Reject what is shown."`
	Audit     auditCommand     `cmd:"" help:"Read, export and verify the record."`
	Token     tokenCommand     `cmd:"" help:"Bearer tokens."`
	Guard     guardCommand     `cmd:"" help:"The prompt firewall, without a server."`
	Doctor    doctorCommand    `cmd:"" help:"What is wrong with this installation and how to mend it."`
	Version   versionCommand   `cmd:"" help:"The version of this program."`
}

// run does what the arguments ask and returns the exit code.
func run(ctx context.Context, args []string, t terminal) int {
	p := &program{}
	parser, err := newParser(p, t)
	if err != nil {
		return t.report(ctx, err, false)
	}
	command, helped, err := parse(parser, args)
	if helped {
		return exitDone
	}
	if err != nil {
		return t.report(ctx, usage("%w\nTry `custody --help`, or --help after a command.", err), p.JSON || slices.Contains(args, "--json"))
	}
	s := &session{terminal: t, flags: p.flags}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(s)
	return t.report(ctx, err, p.JSON)
}

func newParser(p *program, t terminal) (*kong.Kong, error) {
	return kong.New(p,
		kong.Name("custody"),
		kong.Description("Custody runs LLM workflows as durable jobs and proves, for every step, who asked, who was allowed, what went in and what came out."),
		kong.Writers(t.out, t.err),
		kong.Exit(func(int) { panic(helpShown{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
	)
}

// helpShown is how kong's --help comes back to us instead of ending the program.
type helpShown struct{}

func parse(parser *kong.Kong, args []string) (command *kong.Context, helped bool, err error) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case helpShown{}:
			helped = true
		default:
			panic(r)
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err = parser.Parse(args)
	return command, false, err
}
