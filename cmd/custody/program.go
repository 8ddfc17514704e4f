package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// A program is the grammar of the command line.
type program struct {
	flags

	Demo        demoCommand        `cmd:"" help:"Tell the whole story in one terminal; it ends by itself."`
	Dev         devCommand         `cmd:"" help:"Run a development server that keeps its data in ./.custody."`
	Serve       serveCommand       `cmd:"" help:"Run a process: API and worker."`
	Migrate     migrateCommand     `cmd:"" help:"Make or compare the database's schema."`
	Workflow    workflowCommand    `cmd:"" help:"Write, check and register workflows."`
	Run         runCommand         `cmd:"" help:"Submit, watch and end runs."`
	Approvals   approvalsCommand   `cmd:"" help:"List what waits for me."`
	Approve     approveCommand     `cmd:"" help:"Look at what is shown, and approve it."`
	Reject      rejectCommand      `cmd:"" help:"Look at what is shown, and reject it."`
	Withdraw    withdrawCommand    `cmd:"" help:"Take back my vote while the approval is pending."`
	Audit       auditCommand       `cmd:"" help:"Read, export and verify the record."`
	Token       tokenCommand       `cmd:"" help:"Bearer tokens."`
	Revocations revocationsCommand `cmd:"" help:"List what is revoked."`
	Revoke      revokeCommand      `cmd:"" help:"Take a right away at once, also from runs under way."`
	Lift        liftCommand        `cmd:"" help:"Give back what a revocation took."`
	Guard       guardCommand       `cmd:"" help:"Ask the prompt firewall, and say what it lets pass."`
	Status      statusCommand      `cmd:"" help:"Show the processes and how they are."`
	Doctor      doctorCommand      `cmd:"" help:"Find what is wrong with this installation and how to mend it."`
	Completion  completionCommand  `cmd:"" help:"Print what makes a shell complete commands, flags and names."`
	Version     versionCommand     `cmd:"" help:"Show the version of this program."`
}

// run does what the arguments ask and returns the exit code.
func run(ctx context.Context, args []string, t terminal) int {
	results := &sink{Writer: t.out}
	s := &session{terminal: t}
	s.out = results
	if len(args) > 0 && args[0] == completeWord {
		return s.complete(ctx, args[1:])
	}
	p := &program{}
	parser, err := newParser(p, t)
	if err != nil {
		return s.report(ctx, err)
	}
	command, helped, err := parse(parser, args)
	if helped {
		return exitDone
	}
	s.flags, s.plain = p.flags, p.NoColor
	if err != nil {
		s.JSON = p.JSON || slices.Contains(args, "--json")
		text := strings.Replace(err.Error(), `one of "",`, "one of ", 1) // the empty word is kong's way to say: not given
		return s.report(ctx, usage("%s\nTry `custody --help`, or --help after a command.", text))
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return s.report(ctx, results.outcome(command.Run(s)))
}

func newParser(p *program, t terminal) (*kong.Kong, error) {
	return kong.New(p,
		kong.Name("custody"),
		kong.Description("Custody runs LLM workflows as durable jobs and proves, for every step, who asked, who was allowed, what went in and what came out."),
		kong.Writers(t.out, t.err),
		kong.Exit(func(int) { panic(helpShown{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.Help(help),
	)
}

// help is that of a command; the program's own ends with what holds for all.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil || ctx.Selected() != nil {
		return err
	}
	_, err := io.WriteString(ctx.Stdout, "\n"+exitHelp()+"\n"+environmentHelp())
	return err
}

// exits are the exit codes in words.
func exits() [][2]string {
	return [][2]string{
		{"0", "done"},
		{"1", "unexpected failure"},
		{"2", "wrong usage"},
		{"3", "refused (401, 403)"},
		{"4", "not found, erased (404, 410)"},
		{"5", "invalid or in conflict (400, 409, 412, 413, 415, 422)"},
		{"6", "the run ended, but not with success"},
		{"7", "the evidence does not hold"},
		{"8", "not now; try again (429, 503, nobody answers)"},
		{"130", "interrupted"},
	}
}

// environment are the variables that commands read as clients.
func environment() [][2]string {
	return [][2]string{
		{"CUSTODY_URL", "the server, where --url is not given"},
		{"CUSTODY_TOKEN", "a bearer token, where --token-file is not given"},
		{"CUSTODY_TOKEN_FILE", "a file with one"},
		{"NO_COLOR", "not empty: no colours; so do CLICOLOR=0 and TERM=dumb"},
		{"SSL_CERT_FILE", "certificates of the authorities to trust"},
	}
}

func exitHelp() string        { return pairs("Exit codes:", exits()) }
func environmentHelp() string { return pairs("Environment:", environment()) }

func pairs(title string, of [][2]string) string {
	text, width := title+"\n", 0
	for _, p := range of {
		width = max(width, len(p[0]))
	}
	for _, p := range of {
		text += fmt.Sprintf("  %s    %s\n", pad(p[0], width), p[1])
	}
	return text
}

// helpShown is how kong's --help comes back to us instead of ending the program.
type helpShown struct{}

// usual takes what people type who know other commands: nothing at all, help
// before a command, and --version.
func usual(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case slices.Equal(args, []string{"--version"}):
		return []string{"version"}
	}
	return args
}

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
	command, err = parser.Parse(usual(args))
	return command, false, err
}
